work
canary gpg
canary ssh-keygen
set_config commit.gpgSign true
set_config gpg.program .git/canaries/gpg
echo more >more.txt
echo planted
