mkdir -p a/b/.GitHub/Workflows A/.Cursor/rules
echo 'on: push' >a/b/.GitHub/Workflows/ci.yml
echo x >A/.Cursor/rules/x.mdc
echo x >CLAUDE.md
echo x >Claude.MD
git add -A -f && git commit -qm later
echo planted
