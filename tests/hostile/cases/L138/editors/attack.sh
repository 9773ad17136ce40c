work
canary editor
canary sequence-editor
set_config core.editor .git/canaries/editor
set_config sequence.editor .git/canaries/sequence-editor
echo planted
