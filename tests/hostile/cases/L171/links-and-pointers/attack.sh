ln -s "$PRIVATE/secret.txt" out
ln -s ../../../../../../../../../../etc up
ln -s .git/config inside
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 12345\n' 7 >picture.png
echo x >FILE
echo x >"$(printf 'gro\303\237')"
echo x >GROSS
git add -A && git commit -qm links
echo planted
