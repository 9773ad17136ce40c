work
canary include
git config --file hidden.conf core.fsmonitor .git/canaries/include
git add hidden.conf && git commit -qm hidden
set_config include.path ../hidden.conf
echo planted
