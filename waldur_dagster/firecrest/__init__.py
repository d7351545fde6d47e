"""Jobs on clusters that people run through FirecREST (spec people)."""
