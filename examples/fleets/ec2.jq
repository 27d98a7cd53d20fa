# EC2: aws ec2 describe-instances --filters Name=tag:app,Values=web Name=instance-state-name,Values=running | jq -f ec2.jq
{targets: [.Reservations[].Instances[] | {id: .InstanceId, address: "\(.PrivateIpAddress):8080", labels: (.Tags | from_entries)}]}
