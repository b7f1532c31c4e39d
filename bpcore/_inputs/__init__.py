"""What a user gives becomes trusted arrays: checked, converted, named in errors."""
