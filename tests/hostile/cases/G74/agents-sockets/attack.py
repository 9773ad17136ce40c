names = "SSH_AUTH_SOCK SSH_AGENT_PID GPG_AGENT_INFO GNUPGHOME DBUS_SESSION_BUS_ADDRESS DISPLAY WAYLAND_DISPLAY XAUTHORITY"
names += " DOCKER_HOST CONTAINER_HOST KUBECONFIG XDG_RUNTIME_DIR VSCODE_IPC_HOOK_CLI SESSION_MANAGER PULSE_SERVER"
print("variables:", " ".join(name for name in names.split() if name in os.environ) or "nothing")
places = "/tmp/.X11-unix /tmp/.ICE-unix /run/user /run/dbus /run/docker.sock /run/containerd /run/podman /run/crio"
print("places:", " ".join(place for place in places.split() if os.path.exists(place)) or "nothing")
homes = ".ssh .gnupg .docker .kube .aws .config/gh .netrc .git-credentials .npmrc .pypirc .claude .codex".split()
print("in the home:", " ".join(name for name in homes if os.path.exists(os.path.expanduser(f"~/{name}"))) or "nothing")
