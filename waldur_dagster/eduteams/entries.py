"""The entries of eduTEAMS, behind the site's switch and its configuration.

They run every few minutes: where there is nothing to do, nothing is called and nothing more is loaded.
"""

from __future__ import annotations

from waldur_dagster.site import Transactions

SECTION = "WALDUR_AUTH_SOCIAL"
SWITCH = f"{SECTION}.REMOTE_EDUTEAMS_ENABLED"
SSH_API = tuple(f"{SECTION}.REMOTE_EDUTEAMS_SSH_API_{name}" for name in ("URL", "USERNAME", "PASSWORD"))


def pull_users(transaction: Transactions) -> None:
    """Refresh the people who were not looked at for longest."""
    with transaction() as work:
        if not work.settings[SWITCH]:
            return
        from waldur_dagster.eduteams.due import due_people

        people = due_people(work)
    if people:
        from waldur_dagster.eduteams.pull_users import pull

        pull(transaction, people)


def pull_ssh_keys(transaction: Transactions) -> None:
    """Refresh everybody's SSH keys."""
    with transaction() as work:
        if not work.settings[SWITCH]:
            return
        access = [work.settings[name] for name in SSH_API]
        if not all(access):
            work.outcome.warn("eduTEAMS", f"SSH keys are not pulled: {', '.join(SSH_API)} are not all set")
            return
    from waldur_dagster.eduteams.pull_keys import pull

    pull(transaction, *access)
