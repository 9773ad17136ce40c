work
canary diff-command
canary textconv
set_config diff.x.command .git/canaries/diff-command
set_config diff.y.textconv .git/canaries/textconv
echo one >a.x; echo one >a.y
printf '*.x diff=x\n*.y diff=y\n' >.gitattributes
git add -A && git commit -qm one
echo two >>a.x; echo two >>a.y
echo planted
