work
canary upload-pack
canary receive-pack
set_config remote.origin.url .
set_config remote.origin.uploadpack .git/canaries/upload-pack
set_config remote.origin.receivepack .git/canaries/receive-pack
echo planted
