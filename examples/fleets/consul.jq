# A service in Consul: curl -fsS http://127.0.0.1:8500/v1/catalog/service/web | jq -f consul.jq
{targets: [.[] |
  {id: .Node, address: "\(if .ServiceAddress != "" then .ServiceAddress else .Address end):\(.ServicePort)", labels: .NodeMeta}]}
