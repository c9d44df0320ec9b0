"""Label matchers, CEL conditions and ${…} templates: text compiled once, evaluated often."""
