"""The HTML page and its charts, the leaderboard as text, and the record that both are drawn from.

    story.py        Story: everything a report tells; to a folder and back
    page.py         render(story): one self-contained HTML file
    leaderboard.py  leaderboard_lines(story): the race as aligned text
    charts.py       a contract.Chart as SVG
"""
