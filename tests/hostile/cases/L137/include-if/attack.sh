work
canary include-if
git config --file hidden.conf core.fsmonitor .git/canaries/include-if
git add hidden.conf && git commit -qm hidden
set_config 'includeIf.gitdir:**.path' ../hidden.conf
echo planted
