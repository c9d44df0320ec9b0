"""The edges around the core: inbox, loop, schedule, perform, HTTP, reload, drain."""
