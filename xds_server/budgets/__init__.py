"""What is spent of budgets, looked up and changed at run time."""
