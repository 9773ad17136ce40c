work
canary remote-vcs
set_config protocol.ext.allow always
set_config remote.origin.vcs ext
set_config remote.origin.url '.git/canaries/remote-vcs'
echo planted
