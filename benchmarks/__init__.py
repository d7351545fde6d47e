"""How long the jobs take on large sites, stage by stage."""
