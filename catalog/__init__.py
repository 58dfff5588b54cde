"""What exists and what it costs: accelerators, links, offers, models, formats, engines and measured efficiencies."""
