"""Users of the platform and invitations to become one."""
