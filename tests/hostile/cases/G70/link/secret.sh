mv "$SECRET" "$SECRET.real"
ln -s "$SECRET.real" "$SECRET"
