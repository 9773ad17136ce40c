work
canary ask-pass 'echo x'
set_config core.askPass .git/canaries/ask-pass
echo planted
