import pytest
from django.core.mail import EmailMultiAlternatives, send_mail
from django.test import Client

NASTY = "<script>alert('x')</script>"


@pytest.fixture
def visitor(store):
    return Client()


def page(visitor, address="/sandbox/mail/"):
    response = visitor.get(address)
    assert response.status_code == 200
    return response


def test_each_mail_is_a_file_and_the_newest_comes_first(visitor, mail_folder):
    send_mail("First", "one", None, ["a@example.com"])
    send_mail("Second", "two", None, ["b@example.com"])

    text = page(visitor).content.decode()

    assert len(list(mail_folder.glob("*.eml"))) == 2
    assert text.index("Second") < text.index("First")


def test_a_mail_shows_its_text_and_its_html_where_nothing_runs(visitor, mail_folder):
    mail = EmailMultiAlternatives(f"Order {NASTY}", f"Plain {NASTY} पसल", None, ["a@example.com"])
    mail.attach_alternative(f'<p title="quoted">Rich {NASTY}</p>', "text/html")
    mail.send()
    name = next(mail_folder.glob("*.eml")).name

    response = page(visitor, f"/sandbox/mail/{name}")
    text = response.content.decode()

    assert NASTY not in text
    assert NASTY not in page(visitor).content.decode()
    assert "Plain &lt;script&gt;" in text
    assert "पसल" in text
    assert 'srcdoc="&lt;base target=_blank&gt;&lt;p title=&quot;quoted&quot;&gt;Rich &lt;script&gt;' in text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in text
    assert "default-src 'self'" in response["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["1-00000000.eml", "../settings.py", "..%2Fstore.sqlite3", "a.eml", "1-0000000g.eml"])
def test_nothing_but_a_mail_is_shown(visitor, mail_folder, name):
    assert visitor.get(f"/sandbox/mail/{name}").status_code == 404


def test_before_the_first_mail_the_page_says_so(visitor, mail_folder):
    assert "None yet" in page(visitor).content.decode()
