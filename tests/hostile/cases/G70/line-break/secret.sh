printf 'sk-canary-0123456789abcdef\r\nX-Other: 1\n' >"$SECRET"
