from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand

# Good enough for a site on loopback that lives for minutes.
USERS = [("alice", False), ("bob", False), ("admin", True)]


class Command(BaseCommand):
    help = "Create the users alice, bob and admin; the password is the name."

    def handle(self, *args, **options):
        users = get_user_model().objects
        for name, is_admin in USERS:
            if not users.filter(username=name).exists():
                create = users.create_superuser if is_admin \
                    else users.create_user
                create(name, password=name)
