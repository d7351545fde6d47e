"""Kubernetes clusters of Rancher servers, and who may use them by way of Keycloak (spec rancher_support)."""
