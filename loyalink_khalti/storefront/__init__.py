"""What customers see of a payment in any shop: the return from Khalti, the status page that is also the receipt, the
bar of a pending payment and the claim of a guest's points.
"""
