from django.conf import settings
from django.db import migrations
from django.utils.encoding import force_bytes


def give_secret_key(apps, schema_editor):
    """What Django signs sessions with, and simplejwt its tokens.

    By way of a large object, which is gone when this commits: so the key
    stands in no statement, no log and no pg_stat_statements.
    """
    connection = schema_editor.connection.connection
    large_object = connection.lobject(mode="wb")
    large_object.write(force_bytes(settings.SECRET_KEY))
    large_object.close()
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT usher.take_secret_key(%s::oid)",
                       [large_object.oid])


def take_secret_key_back(apps, schema_editor):
    schema_editor.execute("SELECT usher.remove_secret_key()")


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0001_usher"),
        ("sessions", "0001_initial"),
        ("token_blacklist", "0012_alter_outstandingtoken_user"),
    ]
    operations = [
        # Again, for the tables that have come: sessions and the blacklist.
        migrations.RunSQL("SELECT usher.attach_django()",
                          migrations.RunSQL.noop),
        migrations.RunPython(give_secret_key, take_secret_key_back),
        migrations.RunSQL(
            "SELECT usher.add_jwt_key('site', 'HS256');"
            "SELECT usher.set_jwt_options("
            " token_types => '{access,sliding}')",
            "SELECT usher.remove_jwt_key('site')"),
    ]
