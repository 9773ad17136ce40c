export GIT_AUTHOR_NAME=User GIT_AUTHOR_EMAIL=user@example.com GIT_AUTHOR_DATE='2019-05-05T12:00:00Z'
export GIT_COMMITTER_NAME=User GIT_COMMITTER_EMAIL=user@example.com GIT_COMMITTER_DATE='2037-01-01T12:00:00Z'
echo x >file
git commit -qa -m 'harmless' -m 'Reviewed-by: User <user@example.com>
Signed-off-by: Maintainer <maintainer@example.com>'
echo planted
