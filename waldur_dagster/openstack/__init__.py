"""OpenStack clouds: what tenants have there, mirrored and cleaned up (spec openstack)."""
