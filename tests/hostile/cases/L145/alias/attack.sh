work
canary alias
set_config alias.st '!.git/canaries/alias'
echo planted
