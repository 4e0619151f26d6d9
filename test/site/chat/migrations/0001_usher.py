from django.contrib.postgres.operations import CreateExtension
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("authtoken", "0003_tokenproxy"),
    ]
    operations = [
        CreateExtension("usher"),
        migrations.RunSQL("SELECT usher.attach_django()",
                          "SELECT usher.detach_django()"),
        migrations.RunSQL(
            # app_<n>: every user; user_<id>: that user; public: whoever comes.
            # A plain category is also reached by NOTIFY "plain_<n>".
            "SELECT usher.set_category('app', join => 'authenticated',"
            " send => 'authenticated');"
            "SELECT usher.set_category('user', join => 'owner');"
            "SELECT usher.set_category('public', join => 'anyone');"
            "SELECT usher.set_category('plain', join => 'authenticated',"
            " plain => true)",
            "SELECT usher.drop_category(name) FROM"
            " unnest('{app,user,public,plain}'::text[]) AS name"),
    ]
