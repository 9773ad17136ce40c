work
canary credential-helper 'echo username=x; echo password=y'
set_config credential.helper '!.git/canaries/credential-helper'
echo planted
