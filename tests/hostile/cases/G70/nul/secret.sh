printf 'sk-canary-0123456789abcdef\000more\n' >"$SECRET"
