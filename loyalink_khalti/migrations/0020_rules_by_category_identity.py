"""Let rules name categories by a tag that no editor changes, where they named them by a slug.

Stored versions of rules never change: each programme gets a new one. Versions and Carts of before are read by the table
of former tags. A slug of two categories becomes both, as it has counted until now; an editor can remove one. A slug of
no category becomes a tag of its own, so that the rule still names what is gone. Without a shop that yields former tags
(Oscar is not installed, or not yet) nothing changes.

Until the servers run the new version, the old one finds none of its slugs in the new rules: restart them after ``migrate``.
"""

from fractions import Fraction

from django.db import migrations

from loyalink_khalti import conf

GONE = "former:"


def forwards(apps, schema_editor):
    using = schema_editor.connection.alias
    get = lambda name: apps.get_model("loyalink_khalti", name).objects.using(using)
    shops = conf.shops().values()
    found = [row for shop in shops for row in getattr(shop, "former_tags", tuple)()]
    if not found:
        return
    names = {identity: name for _tag, identity, name in found}
    identities = {}
    for tag, identity, _name in found:
        identities.setdefault(tag, []).append(identity)
    # A shop of one's own may have any tags; they are not known here.
    may_be_gone = all(hasattr(shop, "former_tags") for shop in shops)
    used = set()

    def renamed(tag):
        if ":" not in tag and tag not in identities and may_be_gone:
            identities[tag] = [GONE + tag]
            names[GONE + tag] = tag
        now = identities.get(tag, [tag])
        if len(now) > 1 and not used.issuperset(now):
            both = " and ".join(names[identity] for identity in now)
            print(f"\n  Rules or a campaign named {tag!r}, which is {both}: now all of these. Remove what was not meant.")
        used.update(now)
        return now

    rewrite(get, renamed)
    FormerTag, CategoryName = (apps.get_model("loyalink_khalti", name) for name in ("FormerTag", "CategoryName"))
    get("FormerTag").bulk_create(
        FormerTag(tag=tag, identity=identity) for tag, now in identities.items() for identity in dict.fromkeys(now)
    )
    get("CategoryName").bulk_create(
        CategoryName(tag=tag, name=names[tag][:1000]) for tag in sorted(used & names.keys())
    )


def backwards(apps, schema_editor):
    using = schema_editor.connection.alias
    get = lambda name: apps.get_model("loyalink_khalti", name).objects.using(using)
    former = {}
    for tag, identity in get("FormerTag").values_list("tag", "identity"):
        former.setdefault(identity, []).append(tag)
    rewrite(get, lambda tag: former.get(tag, [tag]))
    get("FormerTag").all().delete()
    get("CategoryName").all().delete()


def rewrite(get, renamed):
    """Replace tags in the newest rules of each programme, by a new version, and in campaigns."""
    for program in get("Program").all():
        newest = get("ProgramVersion").filter(program=program).order_by("-number").first()
        stored = newest and rewritten(newest.stored, renamed)
        if newest and stored != newest.stored:
            get("ProgramVersion").create(program=program, number=newest.number + 1, stored=stored)
    for campaign in get("Campaign").all():
        tags = replaced(campaign.tags, renamed)
        if tags != campaign.tags:
            campaign.tags = tags
            campaign.save(update_fields=["tags"])


def rewritten(stored, renamed):
    rules = dict(stored)
    if "excluded_tags" in rules:
        rules["excluded_tags"] = replaced(rules["excluded_tags"], renamed)
    if "multipliers" in rules:
        highest = {}
        for tag, factor in rules["multipliers"]:
            for name in renamed(tag):
                highest[name] = max(highest.get(name, factor), factor, key=Fraction)
        rules["multipliers"] = [[name, factor] for name, factor in highest.items()]
    if "campaigns" in rules:
        rules["campaigns"] = [{**each, "tags": replaced(each["tags"], renamed)} for each in rules["campaigns"]]
    return rules


def replaced(tags, renamed):
    return list(dict.fromkeys(name for tag in tags for name in renamed(tag)))


class Migration(migrations.Migration):
    dependencies = [("loyalink_khalti", "0019_category_identities")]

    operations = [migrations.RunPython(forwards, backwards)]
