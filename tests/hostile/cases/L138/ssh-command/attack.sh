work
canary ssh-command
set_config core.sshCommand .git/canaries/ssh-command
set_config remote.origin.url ssh://nowhere.invalid/x
set_config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'
echo planted
