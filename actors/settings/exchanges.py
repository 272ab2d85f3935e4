"""The exchanges whose calendars there are, by name; see `actors.domain.calendars`.

Kept here, since the package that has them brings pandas; a test compares.
"""

from typing import Final

_NAMES: Final = """
24/5 24/7 AIXK ASEX BVMF CMES IEPA XAMS XASX XBDA XBEL XBKK XBOG XBOM XBRA XBRU XBSE XBUD XBUE XCBF XCSE XCYS
XDUB XDUS XEEE XETR XEUR XFRA XHAM XHEL XHKG XICE XIDX XIST XJSE XKAR XKLS XKRX XLIM XLIS XLIT XLJU XLON XLUX
XMAD XMEX XMIL XMOS XNYS XNZE XOSL XPAR XPHS XPRA XRIS XSAU XSES XSGO XSHG XSTO XSTU XSWX XTAE XTAI XTAL XTKS
XTSE XWAR XWBO XZAG us_futures
"""
NAMES: Final = tuple(_NAMES.split())
