work
ln -s "$PRIVATE/secret.txt" report.md
ln -s "$PRIVATE" out
mkdir deep
ln -s "$PRIVATE" deep/folder
ln "$PRIVATE/secret.txt" deep/hard.txt 2>/dev/null || ln .git/config deep/hard.txt
echo honest >deep/honest.txt
git add -A
git commit -qm links
echo planted
