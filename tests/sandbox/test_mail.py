import pytest
from django.core.mail import EmailMultiAlternatives, send_mail
from django.test import Client

SCRIPT = "<script>alert('x')</script>"


@pytest.fixture
def customer(store):
    return Client()


def page(customer, address="/sandbox/mail/"):
    response = customer.get(address)
    assert response.status_code == 200
    return response


def test_each_mail_is_a_file_and_the_newest_is_listed_first(customer, mail_folder):
    send_mail("First", "one", None, ["a@example.com"])
    send_mail("Second", "two", None, ["b@example.com"])

    text = page(customer).content.decode()

    assert len(list(mail_folder.glob("*.eml"))) == 2
    assert text.index("Second") < text.index("First")


def test_a_mail_shows_its_text_and_its_html_without_running_scripts(customer, mail_folder):
    mail = EmailMultiAlternatives(f"Order {SCRIPT}", f"Plain {SCRIPT} पसल", None, ["a@example.com"])
    mail.attach_alternative(f'<p title="quoted">Rich {SCRIPT}</p>', "text/html")
    mail.send()
    name = next(mail_folder.glob("*.eml")).name

    response = page(customer, f"/sandbox/mail/{name}")
    text = response.content.decode()

    assert SCRIPT not in text
    assert SCRIPT not in page(customer).content.decode()
    assert "Plain &lt;script&gt;" in text
    assert "पसल" in text
    assert 'srcdoc="&lt;base target=_blank&gt;&lt;p title=&quot;quoted&quot;&gt;Rich &lt;script&gt;' in text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in text
    assert "default-src 'self'" in response["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["1-00000000.eml", "../settings.py", "..%2Fstore.sqlite3", "a.eml", "1-0000000g.eml"])
def test_only_mails_are_shown(customer, mail_folder, name):
    assert customer.get(f"/sandbox/mail/{name}").status_code == 404


def test_without_mails_the_page_says_so(customer, mail_folder):
    assert "No mails yet" in page(customer).content.decode()
