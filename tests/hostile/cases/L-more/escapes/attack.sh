ESC=$(printf '\033')
git switch -q -c side 2>/dev/null
work "a${ESC}]0;title${ESC}\\b" "subject ${ESC}[31mred${ESC}[0m ${ESC}]8;;http://x.invalid${ESC}\\link"
echo x >"path${ESC}[2J"
git add -A
git -c user.name="Evil ${ESC}[1A" commit -q --author="Evil ${ESC}[2K <e@example.com>" -m "two ${ESC}c"
git rev-parse HEAD >".git/refs/heads/b${ESC}[2J"
printf 'printed \033[2J\033]0;title\007 \n'
echo planted
