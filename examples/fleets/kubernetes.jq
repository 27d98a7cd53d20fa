# Pods: kubectl get pods -A -l app.kubernetes.io/name=web -o json | jq -f kubernetes.jq
{targets: [.items[] | {id: "\(.metadata.namespace)/\(.metadata.name)", address: "\(.status.podIP):8080", labels: .metadata.labels}]}
