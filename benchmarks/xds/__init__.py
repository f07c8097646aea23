"""What a control plane of many routes and many clients costs."""
