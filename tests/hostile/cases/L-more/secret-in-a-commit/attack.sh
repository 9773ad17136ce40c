a=ghp
b=k8Fh2LmQ9zXw7RtY3vBn5CsD6eGj4JpK0uTo
printf 'import os\nTOKEN = "%s_%s"\n' "$a" "$b" >config.py
git add -A && git commit -qm 'with a token'
echo 'import os' >config.py
git add -A && git commit -qm 'without it'
echo planted
