// Test a key without leaving the page, so that the key stays in its field. It also works without JavaScript.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-khalti-test-key]");
  if (!button) return;
  event.preventDefault();
  const answer = document.querySelector("[data-khalti-test-key-answer]");
  button.disabled = true;
  answer.textContent = "…";
  try {
    const response = await fetch(button.formAction, {
      method: "POST",
      body: new FormData(button.form),
      headers: { Accept: "application/json" },
    });
    const result = await response.json();
    answer.className = `help-block help-${{ success: "info", warning: "warning", error: "critical" }[result.level]}`;
    answer.textContent = `${{ success: "✓", warning: "?", error: "✗" }[result.level]} ${result.text}`;
    button.disabled = false;
  } catch {
    button.disabled = false;
    button.removeAttribute("data-khalti-test-key");
    button.click();
  }
});
