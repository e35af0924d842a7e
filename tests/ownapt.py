# SPDX-License-Identifier: MIT
"""apt with a state folder and sources of its own: the machine's are read, never changed."""
import os


def options(folder):
    """Makes the folder; the options for apt-get and apt-cache. Its sources are what is put into folder/parts."""
    for name in ('lists/partial', 'cache/archives/partial', 'parts', 'got'):
        os.makedirs(os.path.join(folder, name))
    out = []
    for key, value in (('Dir::Etc::sourcelist', '/dev/null'), ('Dir::Etc::sourceparts', folder + '/parts'),
                       ('Dir::State::lists', folder + '/lists'), ('Dir::Cache', folder + '/cache'),
                       ('Acquire::Languages', 'none'), ('Acquire::Retries', '3')):
        out += ['-o', '%s=%s' % (key, value)]
    if os.geteuid() == 0:
        out += ['-o', 'APT::Sandbox::User=root']    # the folder is not the apt user's
    return out
