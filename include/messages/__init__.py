"""What a recipient reads: templates with variables, and whether the rendered text fits an SMS or an LMS."""
