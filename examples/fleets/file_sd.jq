# A Prometheus file_sd file: jq -f file_sd.jq targets.json
{targets: [.[] | .labels as $labels | .targets[] | {id: ., address: ., labels: $labels}]}
