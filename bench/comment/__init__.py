"""One comment on a pull request that is updated, not repeated.

body        ·  the comment as Markdown: the verdict first, gates, figures, history, links; capped
platforms   ·  what GitHub, Azure DevOps and GitLab want to be asked
post        !  asks them
"""
