# The group "web" of an Ansible inventory: ansible-inventory --list | jq -f ansible.jq
{targets: [.web.hosts[] as $host | ._meta.hostvars[$host] as $vars |
  {id: $host, address: "\($vars.ansible_host // $host):8080", labels: {region: $vars.region}}]}
