work
canary instead-of
set_config protocol.ext.allow always
set_config 'url.ext::.git/canaries/instead-of .insteadOf' https://
echo planted
