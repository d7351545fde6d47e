"""What Waldur keeps of its help desk: priorities, people, request types (spec rancher_support)."""
