work
canary trailer
set_config trailer.x.key X
set_config trailer.x.command .git/canaries/trailer
echo planted
