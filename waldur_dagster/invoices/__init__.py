"""Monthly billing: closing invoices, making new ones with their items, totals, reports and reminders."""
